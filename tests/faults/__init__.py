"""What happens to each stage if an operation on a file fails, is cut short or is the process's last."""
