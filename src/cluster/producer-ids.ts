/** Producer ids. (skeleton) */
export declare class ProducerIds {
  /** A producer id that no broker gave out before. */
  next(): Promise<number>
}
