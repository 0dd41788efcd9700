"use strict";
// One cursor over all pictures of a run, A and B at the same instant, and a table that sorts. Text goes in by
// textContent alone.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const players = data.players.map((player) => ({
    ...player,
    audio: document.getElementById(`audio-${player.key}`),
    cursor: document.getElementById(`cursor-${player.key}`),
    plots: document.getElementById(`plots-${player.key}`),
  }));
  const heard = players.filter((player) => player.audio);
  const now = document.getElementById("now");
  let active = heard[0];

  // Where a second of the audio lies on the axis, and the other way round; within a stall the sound waits.
  const toAxis = (player, media) => {
    const all = player.stretches;
    const inside = all.filter(([, from]) => from <= media).pop() || all[0] || [0, 0, 0];
    return inside[0] + (media - inside[1]);
  };
  const toMedia = (player, axis) => {
    const all = player.stretches;
    const inside = all.filter(([from]) => from <= axis).pop() || all[0] || [0, 0, 0];
    return inside[1] + Math.min(Math.max(axis - inside[0], 0), inside[2]);
  };
  const show = () => {
    if (!active) return;
    const media = active.audio.currentTime;
    for (const player of players) {
      const share = (toAxis(player, media) - player.start) / player.length;
      player.cursor.style.display = "block";
      player.cursor.style.left = `${Math.min(Math.max(share, 0), 1) * 100}%`;
    }
    const which = heard.length > 1 ? `${active.key}: ` : "";
    now.textContent = `${which}audio ${media.toFixed(3)} s, ${toAxis(active, media).toFixed(3)} s after submit.`;
  };
  const tick = () => {
    show();
    if (active && !active.audio.paused) requestAnimationFrame(tick);
  };
  const seek = (media) => {
    const end = Number.isFinite(active.audio.duration) ? active.audio.duration : Infinity;
    active.audio.currentTime = Math.min(Math.max(media, 0), end);
    show();
  };
  const choose = (key) => {
    const next = heard.find((player) => player.key === key);
    if (!next || next === active) return;
    const playing = !active.audio.paused;
    next.audio.currentTime = active.audio.currentTime;
    active.audio.pause();
    active = next;
    if (playing) active.audio.play();
    for (const button of document.querySelectorAll("[data-player]"))
      button.setAttribute("aria-pressed", String(button.dataset.player === key));
    show();
  };

  // page.html#t=12.5 opens at a second of the audio, page.html#t=12.5&player=b with b.
  const wanted = new URLSearchParams(location.hash.slice(1));
  const open = () => {
    const media = Number.parseFloat(wanted.get("t"));
    if (media >= 0) seek(media);
    if (wanted.has("player")) choose(wanted.get("player"));
  };
  if (active) {
    if (active.audio.readyState > 0) open();
    else active.audio.addEventListener("loadedmetadata", open, { once: true });
  }

  for (const player of heard) {
    for (const event of ["seeking", "seeked", "timeupdate", "loadedmetadata"])
      player.audio.addEventListener(event, () => player === active && show());
    player.audio.addEventListener("play", () => {
      if (player !== active) {
        for (const other of heard) if (other !== player) other.audio.pause();
        active = player;
        for (const button of document.querySelectorAll("[data-player]"))
          button.setAttribute("aria-pressed", String(button.dataset.player === player.key));
      }
      requestAnimationFrame(tick);
    });
  }
  for (const player of players) {
    player.plots.addEventListener("click", (event) => {
      const picture = event.target.closest("svg");
      if (!picture || !active) return;
      const box = picture.getBoundingClientRect();
      choose(player.key);
      seek(toMedia(player, player.start + ((event.clientX - box.left) / box.width) * player.length));
    });
  }
  for (const button of document.querySelectorAll("[data-player]"))
    button.addEventListener("click", () => choose(button.dataset.player));

  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, button, audio, summary, textarea");
    if (!active || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === " ") active.audio.paused ? active.audio.play() : active.audio.pause();
    else if (event.key === "ArrowRight") seek(active.audio.currentTime + 1);
    else if (event.key === "ArrowLeft") seek(active.audio.currentTime - 1);
    else if (event.key === "a" || event.key === "b") return choose(event.key);
    else return;
    event.preventDefault();
  });

  for (const button of document.querySelectorAll("[data-copies]")) {
    button.addEventListener("click", () => {
      const range = document.createRange();
      range.selectNodeContents(document.getElementById(button.dataset.copies));
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      button.textContent = document.execCommand("copy") ? "Copied" : "Selected: press Ctrl+C";
    });
  }

  const runs = document.getElementById("run-table");
  if (runs) {
    const body = runs.tBodies[0];
    const rows = [...body.rows];
    const titles = [...runs.tHead.rows[0].cells];
    const valueOf = (row, column) => {
      const exact = row.cells[column].querySelector("data");
      return exact && exact.value !== "" ? Number(exact.value) : row.cells[column].textContent;
    };
    // Numbers sort before words; unknown values are last.
    const compare = (a, b) =>
      typeof a === typeof b ? (typeof a === "number" ? a - b : a.localeCompare(b)) : typeof a === "number" ? -1 : 1;
    titles.forEach((title, column) => title.querySelector("button").addEventListener("click", () => {
      const down = title.getAttribute("aria-sort") === "ascending";
      for (const each of titles) each.setAttribute("aria-sort", "none");
      title.setAttribute("aria-sort", down ? "descending" : "ascending");
      const keyed = rows.map((row) => [valueOf(row, column), row]);
      keyed.sort(([a], [b]) => (down ? compare(b, a) : compare(a, b)));
      body.append(...keyed.map(([, row]) => row));
    }));
    const filter = document.getElementById("filter");
    const shown = document.getElementById("shown");
    const words = rows.map((row) => row.textContent.toLowerCase());
    const sift = () => {
      const wanted = filter.value.toLowerCase();
      rows.forEach((row, n) => { row.hidden = !words[n].includes(wanted); });
      shown.textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length} runs.`;
    };
    filter.addEventListener("input", sift);
    sift();
  }
  show();
})();
