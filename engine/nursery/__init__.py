"""Imports what training needs once and forks the server and the clients from that image."""
