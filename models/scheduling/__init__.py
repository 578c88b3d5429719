"""Order execution schedules."""
