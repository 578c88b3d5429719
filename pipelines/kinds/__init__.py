"""Code that is specific to one kind of task: one folder per kind, named after the key `kind` of a block in params.yaml.

A folder has the modules that `pipelines.kinds.parts` lists, and whatever else these need.
"""
