"""Coinbase Exchange, its public WebSocket feed and REST interface. No login is needed for any of it."""
