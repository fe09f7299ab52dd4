"""Events become text: a rule per event type, a sandboxed template, filters that make values speakable."""
