"""Where audio and verdicts are kept: disk, S3, memory."""
