"""Servers: one request, a proxy before a server, a load; each answer becomes a run, and each request a row."""
