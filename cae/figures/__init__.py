"""What people look at: functions from numbers and images to matplotlib figures."""
