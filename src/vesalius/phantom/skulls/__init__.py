"""Parts of the phantom of skulls: who they are, the shape of the bone, a hole sawn into it, and its CT."""
