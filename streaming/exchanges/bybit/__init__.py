"""Bybit spot, version 5 of its public WebSocket and REST interfaces. No login is needed for any of it."""
