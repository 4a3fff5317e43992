"""Language models in the roles of the pipeline: prompts, what is read from answers, and who asks."""
