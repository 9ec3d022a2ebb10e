"""Kinds of target: one file = one kind of truth, from a table's cells to what an answer is held against.

A kind's file declares literals that are read without importing it:

    ROLES = ("value",)     roles of a table's columns that hold such targets, the leading one first; () for none
    ORDER = 20             its place where a table's targets are listed; 100 where it says nothing
    CALLED = "age|years"   what such a column is called, as a pattern, where nobody says that it holds them; for a kind
                           that lies in several columns a pattern by role, and it is found where all of them are
    JOINS = "number"       the kind of targets of which several, named `a,b`, are one of this kind (`describe_joined`)
    HOW = "boxes"          a role that says how such targets are written, or of what they are made: --column boxes=size
    OWN_TABLE = True       such targets may lie in a table of their own beside that of the cases, a row a thing
    OUTLINES = True        such targets are made of outlines in files that have them, where they are asked for

and has `KIND`, an instance of `contract.TargetKind`. Another package joins through the entry-point group
`vesalius.cohorts.targets`.
"""
