/** Facts: the vocabulary, the controls, the manifest, and what may still be the case. Runs in a browser. */
export type { Control, Parameter, ParameterValue, ParameterValues, Rung } from './control.ts';
export type { Day } from './date.ts';
export { parseDay, today } from './date.ts';
export type { Domain, FactValue } from './domain.ts';
export type { Jurisdiction, Jurisdictions } from './jurisdictions.ts';
export type { Knowledge, Origin, Statement } from './knowledge.ts';
export { gather } from './knowledge.ts';
export type { DeclaredControl, Evidence, Manifest, ManifestNames } from './manifest.ts';
export { readManifest } from './manifest.ts';
export type { Position, Problem, ProblemCode } from './problem.ts';
export { formatProblem, InputError } from './problem.ts';
export { manifestSchema } from './schema.ts';
export type { Truth } from './truth.ts';
export type { Constraint, Fact, Vocabulary } from './vocabulary.ts';
