"""What has to happen without anybody asking, in one process: ``kirana worker``. Any number of them may run at once."""
