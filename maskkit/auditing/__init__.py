"""What is wrong with a data set: leaks, people who contradict themselves, doubtful labels, odd photos."""
