"""Explaining an answer: what of the image it rests on, by several methods, each measured before it is believed."""
