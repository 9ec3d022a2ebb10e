"""Click to segment over HTTP and WebSocket: sessions of strokes about one object, and the masks that answer them."""
