"""Where a training's numbers are logged: TensorBoard, Weights & Biases, MLflow."""
