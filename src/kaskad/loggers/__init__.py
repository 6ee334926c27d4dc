"""Where figures of a run are kept: one file a choice of conf/logger."""
