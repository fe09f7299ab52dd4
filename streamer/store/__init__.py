"""Where audio and verdicts are kept: disk, memory; S3 comes next."""
