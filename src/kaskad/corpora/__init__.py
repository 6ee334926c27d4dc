"""Where utterances come from: the manifest, and one file a corpus or format that makes one."""
