"""One HTML file that shows a run, two, or a set, without any installation.

`building` takes files and returns the page. The page loads no other resource: style, script, pictures and sound are in
the file, and its content security policy names the digests of the one style and the one script.
"""
