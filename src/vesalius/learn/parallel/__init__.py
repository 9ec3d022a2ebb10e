"""Training by several processes: a leader runs the verb, followers take part in each step; one loop for all.

`crew.py` is the processes of one training and what they say to one another; `places.py` is what a launcher says of
them. `rows.py` has each process compute a part of a batch, `draws.py` draws for it by place in the batch, `norms.py`
and `gradients.py` bring statistics and gradients together. `calls.py` is what the leader hands over; `launch.py` starts
processes on this machine, and `worker.py` is what each of them runs.
"""
