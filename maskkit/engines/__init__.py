"""Where one function is applied to many photos: threads of this process, or Ray."""
