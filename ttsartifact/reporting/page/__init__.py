"""One HTML file that shows a run, two, or a set, to somebody who has nothing installed (security design S9).

`building` takes files and returns the page. Nothing is loaded from elsewhere: style, script, pictures and sound lie in
the file, and its content security policy names the digests of the one style and the one script.
"""
