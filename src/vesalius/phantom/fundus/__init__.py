"""Parts of the retina phantom: its vessels, the eye around them, what diabetes leaves in it, and the camera."""
