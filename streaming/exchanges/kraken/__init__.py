"""Kraken spot: version 2 of its public WebSocket, and its REST interface. No login is needed."""
