"""Files read by many machines, on Ray; what they find is written by the one that asked.

On each machine *listeners*, actors of one core and one network each, decode and embed. The
driver hands them a bounded number of files at a time, and takes what became of them. What was
with a actor that is lost goes to others.
"""
