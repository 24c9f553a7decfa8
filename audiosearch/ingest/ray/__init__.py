"""Add files with the help of a Ray cluster.

The program that adds the files, the *driver*, starts *workers* on the cluster: Ray actors, each
with one core, one network and one decoder process. The driver assigns each worker a bounded number
of files at a time, collects the results and writes them to the index. Files of a worker that is
lost are assigned to other workers.
"""
