"""Cards: what people who decide about a model are told: the model card, the change-control plan, the checklists."""
