"""What people read: status, the summary of a run, and the report.

Reads the state and never changes it. Text for people is made here and nowhere else.
"""
