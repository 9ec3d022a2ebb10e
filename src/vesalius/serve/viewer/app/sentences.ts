// A text parted into its sentences as core/sentences.py parts it, so that what is known of the third is told of the third.

const END = /(?:(?<=[.!])|(?<=[^\s,(/]\?))\s+|\n+/;

/** The sentences of a text, in order, without empty ones. */
export const sentences = (text: string): string[] => text.split(END).map((part) => part.trim()).filter(Boolean);
