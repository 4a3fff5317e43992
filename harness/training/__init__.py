"""Training: conversations to token-exact examples, LoRA with TRL and PEFT, merged weights."""
