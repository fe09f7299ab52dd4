"""Redrive: requests that failed are sent again, each failure once.

A failure of generation k is sent with `streamer-follows: k`, and whichever worker first writes verdict k+1 decides what
comes of it. What is asked of the store here only spares the topic what is known to be in vain: sent twice, by a run
that was killed or by two at once, the second record is a duplicate.
"""
