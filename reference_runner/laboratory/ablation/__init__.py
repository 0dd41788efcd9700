"""The ablation of the published idea: whose manner, prior samples kept or not, clean or noisy clips, few or many."""
