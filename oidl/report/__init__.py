"""What people read: status, the summary of a run, the report and the page.

Reads the state and never changes it. Text for people is made here and nowhere else.
"""
