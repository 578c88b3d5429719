"""Speed and memory of this project, each benchmark runnable alone; results as JSON in benchmarks/results/."""
