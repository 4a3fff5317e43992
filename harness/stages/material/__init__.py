"""The sample task as files, without a lineage.

sample_testset.py  The sample task as a test-set repository, in the layout of the published test set
"""
