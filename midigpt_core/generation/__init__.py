"""One request from start to end: plan, fit, prompt, write, check, choose."""
