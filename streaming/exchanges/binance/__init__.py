"""Binance Spot, its public WebSocket streams and REST interface. No key is needed for any of it."""
