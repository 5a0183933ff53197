"""CXL regions in a plan: ``region on mem0 mem1`` becomes ``cxl create-region``, and what follows is planned on the machine with it.

``item`` reads what is wanted, ``choice`` picks memory devices, ``stage`` plays the commands, ``refused`` says why not, ``measure`` counts
bytes, ``make`` puts the plan together.
"""
