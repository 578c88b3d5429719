"""What attention gives a translator: attentions and cells beside a fixed vector, schedules of the teacher, widths of the beam."""
