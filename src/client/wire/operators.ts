/** The operators of filters, in the order of their numbers, from 1. */
export const operatorNames: readonly string[] = 'eq in prefix lt lte gt gte exists and or not'.split(' ');
