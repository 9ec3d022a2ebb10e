"""Training by several processes: a leader runs the verb, followers take part in each step; one loop for all.

`crew.py` is the processes of one training and what they say to one another; `places.py` is what a launcher says of
them, and `pulse.py` notes where one does not answer. `rows.py` has each process compute a part of a batch, `joined.py`
carries rows between them, and `inside.py` tells whoever looks into a net which rows are there; `draws.py` draws by
place in the batch, `norms.py` and `gradients.py` bring statistics and gradients together. `calls.py` is what the leader
hands over; `launch.py` starts processes on this machine, and `worker.py` is what each of them runs.
"""
