/** No vendor has it at its root, and one by configuration cannot take it: a path of one segment names no vendor. */
export const TOKENS_PATH = '/tokens'
