/** Assessment: the verdict per market, with findings, evidence, what is coming and what is open. */
export { assess, DEFAULT_HORIZON_MONTHS } from './assess.ts';
export type {
  Coming,
  Coverage,
  Finding,
  MarketAssessment,
  OpenFact,
  Outcome,
  Reason,
  Weight,
} from './assessment.ts';
export { OUTCOMES } from './assessment.ts';
export type { Case, CaseResult } from './case.ts';
export { readCases, runCase } from './case.ts';
export type { Probe, Probed, Strength } from './evidence.ts';
export type { FeatureAssessment, FeatureOptions } from './feature.ts';
export { assessFeature, outstandingControls } from './feature.ts';
