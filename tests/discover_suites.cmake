# Read by ctest each time it starts, with `program`, `prefix` and `properties` set: every gtest suite of the program is a
# test of its own, called PREFIX/SUITE. One process for each case would spend more time on loading libtorch than on testing.
if(NOT EXISTS "${program}")
  add_test("${prefix}/NOT_BUILT" "${program}")
  return()
endif()
execute_process(COMMAND "${program}" --gtest_list_tests OUTPUT_VARIABLE listed RESULT_VARIABLE failed)
if(failed)
  message(FATAL_ERROR "${program} --gtest_list_tests: ${failed}")
endif()
# A suite stands at the start of a line and ends in a dot; its cases are indented.
string(REGEX MATCHALL "(^|\n)[A-Za-z_0-9/]+\\." suites "${listed}")
foreach(suite ${suites})
  string(REGEX REPLACE "[\n.]" "" suite "${suite}")
  add_test("${prefix}/${suite}" "${program}" "--gtest_filter=${suite}.*")
  set_tests_properties("${prefix}/${suite}" PROPERTIES ${properties})
endforeach()
