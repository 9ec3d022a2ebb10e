"""Parts of the multimodal phantom: what a response follows from, and a CT, an X-ray, an MR and words that show it."""
