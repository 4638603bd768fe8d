/** What the examples speak of. */
export interface Order {
  readonly id: number
  readonly customer: string
  readonly euros: number
}
