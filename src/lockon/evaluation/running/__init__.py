"""Running trackers on test sets: here, in processes of this machine, or on a cluster; always resumable."""
