"""Learning-rate schedules, by subject; `lucid.optim.lr_scheduler` has all of them under PyTorch's names."""
